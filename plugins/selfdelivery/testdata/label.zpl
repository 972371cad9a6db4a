^XA^CI28^PW812^LL1218^LH0,0
^FO40,40^A0N,40^FB560,1^FH^FDSelf Delivery^FS
^FO620,40^A0N,40^FB150,1^FH^FD2 of 2^FS
^FO40,90^A0N,32^FB732,1^FH^FDOrder 1908244^FS
^FO40,132^GB732,2,2^FS
^FO40,144^A0N,24^FB732,1^FH^FDFrom: WareHouse 301^FS
^FO40,172^A0N,24^FB732,1^FH^FDThe Mall^FS
^FO40,200^A0N,24^FB732,1^FH^FDDallas, TX 75219^FS
^FO40,232^GB732,2,2^FS
^FO40,246^A0N,44^FB732,1^FH^FDCharlize Brian^FS
^FO40,298^A0N,34^FB732,1^FH^FD5411 Mercedes Avenue, 4B^FS
^FO40,340^A0N,34^FB732,1^FH^FDDallas, TX 75206^FS
^FO40,382^A0N,32^FB732,1^FH^FD+12015555555^FS
^FO40,422^A0N,32^FB732,1^FH^FDDeliver Wed 4 Mar 12:10 - 12:40 CST^FS
^FO40,462^A0N,32^FB732,1^FH^FDADULT SIGNATURE / FROZEN / ALCOHOL^FS
^FO40,506^GB732,2,2^FS
^FO40,520^A0N,22^FB520,20^FH^FDPickup: Enter from the staff entrance Delivery: Ring twice. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playing in the yard. The dog may be playi…^FS
^FO590,780^BQN,2,6^FH^FDQA,SDA6VJX3S8VX714243^FS
^FO60,1000^BY2^BCN,150,Y,N,N,A^FH^FDSKU-000123/AB^FS
^XZ
